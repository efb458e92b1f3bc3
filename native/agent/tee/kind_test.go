package tee

import "testing"

func TestTheCommandLineSaysOnceWhatProcessorThereIs(t *testing.T) {
	for cmdline, want := range map[string]Kind{
		"panic=-1 a3s.tee=snp\n":         SNP,
		"a3s.tee=simulated panic=-1 x=y": Simulated,
		"a3s.teemode=x a3s.tee=snp":      SNP,
		"":                               "",
		"panic=-1":                       "",
		"a3s.tee":                        "",
		"a3s.tee=":                       "",
		"a3s.tee=SNP":                    "",
		"a3s.tee=tdx":                    "",
		"a3s.tee=simulated,snp":          "",
		"a3s.tee=snp a3s.tee=snp":        "",
		"a3s.tee=snp a3s.tee=simulated":  "",
		"a3s.tee=snp a3s.tee=":           "",
		`"a3s.tee=snp"`:                  "",
	} {
		got, err := KindOf(cmdline)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", cmdline, got, err)
		}
	}
}

func TestTheCommandLineSaysWhetherTheBoxIsPrivileged(t *testing.T) {
	for cmdline, want := range map[string]bool{
		"a3s.tee=snp a3s.privileged\n": true,
		"a3s.privileged a3s.tee=snp":   true,
		"a3s.tee=snp":                  false,
		"a3s.privileged=1":             false,
		"a3s.privilegedx":              false,
	} {
		if got := IsPrivileged(cmdline); got != want {
			t.Errorf("%q: got %v", cmdline, got)
		}
	}
}
