module a3s.dev/box/agent

go 1.24
