package process

import (
	"reflect"
	"testing"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/stage"
)

func TestUlimitsTakeThePlaceOfTheUsualOnes(t *testing.T) {
	if got := LimitsWith(DockerLimits, nil); !reflect.DeepEqual(got, DockerLimits) {
		t.Errorf("got %v", got)
	}
	got := LimitsWith(DockerLimits, &[]spec.Ulimit{{Name: "nofile", Soft: 10, Hard: 20}, {Name: "memlock", Soft: -1, Hard: -1}})
	want := []stage.Limit{
		{Resource: 4, Soft: spec.Unlimited, Hard: spec.Unlimited}, {Resource: 6, Soft: spec.Unlimited, Hard: spec.Unlimited}, {Resource: 7, Soft: 10, Hard: 20},
		{Resource: 8, Soft: spec.Unlimited, Hard: spec.Unlimited},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if DockerLimits[2].Soft != 1<<20 {
		t.Error("the usual ones are others now")
	}
}
