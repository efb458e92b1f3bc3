package linux

const (
	sysSetns       = 308
	sysSyncfs      = 306
	sysFinitModule = 313
	sysSeccomp     = 317
	sysGetrandom   = 318
	sysMemfdCreate = 319
	sysBpf         = 321
	sysStatx       = 332
)
