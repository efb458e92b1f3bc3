package main

import (
	"errors"
	"net"

	"a3s.dev/box/agent/boot"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/kbs"
	"a3s.dev/box/agent/launch"
	"a3s.dev/box/agent/ratls"
	"a3s.dev/box/agent/sealedvolume"
	"a3s.dev/box/agent/sealing"
	"a3s.dev/box/agent/tee"
	"a3s.dev/box/agent/workload"
)

// offer makes the services through which relying parties and the workload request evidence, and
// have values sealed. It serves the workload from now on, before the workload runs.
func offer(kind tee.Kind, processor tee.Processor, born *launch.Born) (*launch.Services, error) {
	source := evidence.New(evidence.Config{
		Processor:        processor,
		Simulated:        kind == tee.Simulated,
		Instance:         born.Instance,
		SpecDigest:       born.SpecDigest,
		SpecText:         born.SpecText,
		HostCertificates: born.HostCertificates,
	})
	sealer := sealing.New(sealing.Config{
		Processor: processor, Simulated: kind == tee.Simulated, Report: born.Report, Sealing: born.Spec.Sealing,
	})
	config := ratls.Config{Evidence: source, Secrets: born.Secrets, Sealer: sealer}
	if born.Spec.Sealers != nil {
		config.Sealers = *born.Spec.Sealers
	}
	server, err := ratls.New(config)
	if err != nil {
		return nil, err
	}
	served := &workload.Services{Evidence: source, Sealer: sealer.Workload(), Volumes: born.Volumes}
	services := &launch.Services{RATLS: server}
	if born.Spec.Broker != nil {
		services.Relay = kbs.NewRelay()
		client := kbs.New(kbs.Config{Broker: *born.Spec.Broker, Evidence: source, Dial: services.Relay.Dial})
		services.Broker = client
		if born.Spec.GivesTokens() {
			served.Tokens = workload.NewTokens(client)
		}
	}
	services.ForContainer = func() ([]spec.Attachment, func() error, error) { return serve(served) }
	if !born.Spec.IsPod() {
		// The socket of a box is never closed.
		if services.Attachments, _, err = serve(served); err != nil {
			return nil, err
		}
	}
	services.Sealer = func(binding [32]byte, policy string) sealedvolume.Sealer {
		return sealing.Volumes(sealing.Config{Processor: processor, Simulated: kind == tee.Simulated, Report: born.Report}, binding, policy)
	}
	return services, nil
}

// serve serves one workload from now on, on a socket of its own, until that is closed.
func serve(served *workload.Services) ([]spec.Attachment, func() error, error) {
	socket, err := workload.Listen()
	if err != nil {
		return nil, nil, err
	}
	go func() {
		if err := workload.Serve(socket, served); !errors.Is(err, net.ErrClosed) {
			boot.Report("a3s-agent: " + workload.Directory + ": " + err.Error())
		}
	}()
	return []spec.Attachment{{Mount: socket.Mount(), Path: workload.Directory}}, socket.Close, nil
}
