require 'redis'
require 'sinatra'

set :environment, :production
get('/') { 'ok' }
get('/push/:item') { Redis.new(host: 'redis').rpush('items', params['item']).to_s }
