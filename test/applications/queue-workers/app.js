const express = require('express');
const { createClient } = require('redis');

const queue = createClient({ url: 'redis://queue:6379' });
const app = express();
app.get('/', async (_, response) => response.send(`done ${(await queue.get('done')) ?? 0}`));
app.get('/add/:count', async (request, response) => {
  const jobs = Array.from({ length: Number(request.params.count) }, (_, n) => `${n}`);
  await queue.rPush('jobs', jobs);
  response.send('added');
});
queue.connect().then(() => app.listen(3000));
process.on('SIGTERM', () => process.exit(0));
