const express = require('express');
const { createClient } = require('redis');

const redis = createClient({ url: 'redis://redis:6379' });
const app = express();
app.get('/health', (_, response) => response.send('ok'));
app.get('/', async (_, response) => response.json({ hits: await redis.incr('hits') }));
redis.connect().then(() => app.listen(3000));
process.on('SIGTERM', () => process.exit(0));
