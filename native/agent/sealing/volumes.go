package sealing

// Volumes seals the keys of volumes, for the agent itself. binding takes the place of HOST_DATA: it
// is a digest of the launch spec without what may differ from one start to the next. policy is of
// all envelopes that it opens or makes.
func Volumes(config Config, binding [32]byte, policy string) *Caller {
	report := *config.Report
	report.HostData = binding
	config.Report, config.Sealing = &report, policy
	caller := New(config).Workload()
	caller.domain = volumeDomain
	return caller
}
