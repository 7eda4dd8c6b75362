import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { version } from './version.js';

const FORM_SCHEMA = {
  type: 'object',
  required: ['file'],
  properties: { file: { type: 'string', format: 'binary', description: 'The file; its name counts unless the query has one' } },
};

/** The API document of a program, which need not run for that. */
export function createDocument(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('DistributedCloud')
    .setDescription(
      'Encrypted, sliced and redundant storage on your own machines. Errors are RFC 9457 problems with a stable `code`.',
    )
    .setVersion(version())
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addServer('http://127.0.0.1:5000', 'A server with the default configuration')
    .addTag('files', 'Store and retrieve files')
    .addTag('nodes', 'Where the files lie')
    .addTag('health', 'Whether the server can do its work')
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    operationIdFactory: (controller, method) => `${method}${controller.replace(/Controller$/, '')}`,
  });
  describeForms(document);
  return document;
}

/** An upload is the bytes themselves or a form around them; the decorators can give one schema only. */
function describeForms(document: OpenAPIObject): void {
  for (const path of Object.values(document.paths)) {
    const body = path.put?.requestBody;
    if (body === undefined || !('content' in body)) continue;
    const form = body.content['multipart/form-data'];
    if (form !== undefined) form.schema = FORM_SCHEMA;
  }
}

/** Swagger UI at `/docs`, the document at `/openapi.json` and `/openapi.yaml`. */
export function serveDocument(app: INestApplication): void {
  SwaggerModule.setup('docs', app, () => sameOrigin(createDocument(app)), {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'openapi.yaml',
    customSiteTitle: 'DistributedCloud API',
    swaggerOptions: { tryItOutEnabled: true, displayRequestDuration: true },
  });
}

/** Calls made from the page go to the server that served it, whatever its port is. */
function sameOrigin(document: OpenAPIObject): OpenAPIObject {
  return { ...document, servers: [{ url: '/' }] };
}
