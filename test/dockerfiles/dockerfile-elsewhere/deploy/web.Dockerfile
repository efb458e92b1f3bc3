FROM build.example/runtime:1
COPY app/file /file
