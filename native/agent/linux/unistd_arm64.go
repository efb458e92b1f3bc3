package linux

const (
	sysSetns       = 268
	sysSyncfs      = 267
	sysFinitModule = 273
	sysSeccomp     = 277
	sysGetrandom   = 278
	sysMemfdCreate = 279
	sysBpf         = 280
	sysStatx       = 291
)
