package workload

import (
	"a3s.dev/box/agent/sealing"
	"a3s.dev/box/agent/strictjson"
)

type sealRequest struct {
	Purpose    string `json:"purpose"`
	Policy     string `json:"policy"`
	MinimumSVN *int64 `json:"minimumSvn"`
	Value      []byte `json:"value"`
}

func seal(s *Services, body []byte) (answer, error) {
	var asked sealRequest
	defer func() { clear(asked.Value) }()
	if err := strictjson.Decode(body, &asked); err != nil {
		return answer{}, err
	}
	terms := sealing.Terms{Purpose: asked.Purpose, Policy: asked.Policy, MinimumSVN: asked.MinimumSVN}
	envelope, err := s.Sealer.Seal(terms, asked.Value)
	return answer{document: map[string][]byte{"envelope": envelope}}, err
}

func unseal(s *Services, body []byte) (answer, error) {
	var asked struct {
		Purpose    string  `json:"purpose"`
		Envelope   []byte  `json:"envelope"`
		MinimumSVN *int64  `json:"minimumSvn"`
		MinimumTCB *string `json:"minimumTcb"`
	}
	if err := strictjson.Decode(body, &asked); err != nil {
		return answer{}, err
	}
	floor, err := sealing.ParseFloor(asked.MinimumSVN, asked.MinimumTCB)
	if err != nil {
		return answer{}, err
	}
	value, err := s.Sealer.AtLeast(floor).Unseal(asked.Envelope, asked.Purpose)
	return answer{document: map[string][]byte{"value": value}, wipe: value}, err
}

// derive gives a new key, or the key of a reference again.
func derive(s *Services, body []byte) (answer, error) {
	var asked struct {
		Purpose    string  `json:"purpose"`
		Policy     *string `json:"policy"`
		MinimumSVN *int64  `json:"minimumSvn"`
		MinimumTCB *string `json:"minimumTcb"`
		Reference  *[]byte `json:"reference"`
	}
	if err := strictjson.Decode(body, &asked); err != nil {
		return answer{}, err
	}
	if (asked.Policy == nil) == (asked.Reference == nil) || asked.Reference == nil && asked.MinimumTCB != nil {
		return answer{}, errDerive
	}
	if asked.Reference != nil {
		floor, err := sealing.ParseFloor(asked.MinimumSVN, asked.MinimumTCB)
		if err != nil {
			return answer{}, err
		}
		key, err := s.Sealer.AtLeast(floor).Again(*asked.Reference, asked.Purpose)
		return answer{document: map[string][]byte{"key": key, "reference": *asked.Reference}, wipe: key}, err
	}
	terms := sealing.Terms{Purpose: asked.Purpose, Policy: *asked.Policy, MinimumSVN: asked.MinimumSVN}
	key, reference, err := s.Sealer.Derive(terms)
	return answer{document: map[string][]byte{"key": key, "reference": reference}, wipe: key}, err
}
