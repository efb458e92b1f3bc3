require 'sinatra'

set :environment, :production
get('/') { 'ok' }
get('/hello/:name') { "Hello, #{params['name']}" }
