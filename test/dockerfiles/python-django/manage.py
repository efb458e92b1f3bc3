import os, sys
print(sys.argv[1], os.environ["DJANGO_SETTINGS_MODULE"], os.getuid())
