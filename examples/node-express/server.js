// An Express app that says what powers it.
const express = require('express')

const app = express()
app.get('/', (request, response) => response.type('text').send(`Powered by ${process.env.POWERED_BY || 'Deis'}\n`))
app.get('/health', (request, response) => response.type('text').send('ok\n'))

const server = app.listen(process.env.PORT || 5000, '0.0.0.0', () => console.log('node-express is ready'))
// Longer than the router keeps its connections, so that the router never writes into one just closed.
server.keepAliveTimeout = 120_000

// Requests in flight finish before the process ends.
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
