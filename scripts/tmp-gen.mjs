import { describeApi } from '../dist/create-app.js';
import { loadConfig } from '../dist/config/load-config.js';
import { stringify } from 'yaml';
const config = loadConfig({defaultsFile:'config/default.json',environment:{},flags:{}});
console.log(stringify(await describeApi(config),{aliasDuplicateObjects:false,lineWidth:0}));
