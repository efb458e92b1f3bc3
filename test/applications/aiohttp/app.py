from aiohttp import web


async def index(request):
    return web.Response(text="ok")


async def echo(request):
    return web.json_response({"word": request.match_info["word"]})


app = web.Application()
app.add_routes([web.get("/", index), web.get("/echo/{word}", echo)])
web.run_app(app, port=8080)
