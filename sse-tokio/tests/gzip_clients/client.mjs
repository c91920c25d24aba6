// Prints a compressed event stream as it comes: client.mjs URL [LAST_EVENT_ID].
//
// The first line is the content coding, which `fetch` asks for and decodes by itself, and the others are
// those of the event stream. It fails where the body breaks off.

const [url, last] = process.argv.slice(2);
const headers = { accept: 'text/event-stream' };
if (last) headers['last-event-id'] = last;

const response = await fetch(url, { headers });
process.stdout.write(`coding: ${response.headers.get('content-encoding')}\n`);
for await (const part of response.body) process.stdout.write(part);
