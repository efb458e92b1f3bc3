package ratls

import (
	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/secrets"
)

// version is that of the API.
const version = 1

// infoDocument is public. Nothing in it is proven.
type infoDocument struct {
	Protocol int    `json:"protocol"`
	TEE      string `json:"tee"`
	evidence.Identity
	State   secrets.State `json:"state"`
	Secrets []infoSecret  `json:"secrets"`
}

type infoSecret struct {
	Name      string `json:"name"`
	Delivered bool   `json:"delivered"`
	// AllowAnyInjector: the launch spec lets every client inject this one.
	AllowAnyInjector bool `json:"allowAnyInjector"`
}

func (s *Server) info(*request) (any, error) {
	status := s.config.Secrets.Status()
	document := infoDocument{version, s.config.Evidence.TEE(), s.config.Evidence.Identity(), status.State, []infoSecret{}}
	for _, secret := range status.Secrets {
		document.Secrets = append(document.Secrets, infoSecret{secret.Name, secret.Delivered, secret.AllowAnyInjector})
	}
	return document, nil
}
