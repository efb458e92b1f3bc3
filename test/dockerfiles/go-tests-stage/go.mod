module example.org/app

require example.org/dep v1.2.3
