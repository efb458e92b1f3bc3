package box

import (
	"reflect"
	"testing"

	"a3s.dev/box/agent/stage"
)

func TestUlimitsTakeThePlaceOfTheUsualOnes(t *testing.T) {
	if got := limitsWith(dockerLimits, nil); !reflect.DeepEqual(got, dockerLimits) {
		t.Errorf("got %v", got)
	}
	got := limitsWith(dockerLimits, &[]Ulimit{{"nofile", 10, 20}, {"memlock", -1, -1}})
	want := []stage.Limit{
		{Resource: 4, Soft: unlimited, Hard: unlimited}, {Resource: 6, Soft: unlimited, Hard: unlimited}, {Resource: 7, Soft: 10, Hard: 20},
		{Resource: 8, Soft: unlimited, Hard: unlimited},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if dockerLimits[2].Soft != 1<<20 {
		t.Error("the usual ones are others now")
	}
}
