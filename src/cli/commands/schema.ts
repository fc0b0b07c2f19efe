// `nslab schema`: the JSON schema of topology files, the same that lies in topologies/schema.json.

import schema from '../../../topologies/schema.json' with { type: 'json' };

export function run(): void {
  process.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
}
