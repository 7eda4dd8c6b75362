import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from '../dist/app.module.js';
import { createDocument } from '../dist/openapi.js';
import { loadConfig } from '../dist/config/load-config.js';
import { stringify } from 'yaml';
const config = loadConfig({defaultsFile:'config/default.json',environment:{},flags:{}});
const app = await NestFactory.create(AppModule.forRoot(config), { preview: true, logger: ['error','warn'], abortOnError:false });
console.log(stringify(createDocument(app)));
