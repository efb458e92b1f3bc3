import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import JsonResponse
from django.urls import path

settings.configure(
    SECRET_KEY="of a test",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": "db"}},
)


def index(request):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS notes (body TEXT)")
        cursor.execute("INSERT INTO notes VALUES (%s)", [request.GET.get("note", "none")])
        cursor.execute("SELECT body FROM notes")
        return JsonResponse({"notes": [body for (body,) in cursor.fetchall()]})


urlpatterns = [path("", index)]
application = get_wsgi_application()
