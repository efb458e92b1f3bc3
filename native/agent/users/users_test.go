package users

import (
	"reflect"
	"strings"
	"testing"
	"unicode"
)

const passwd = `# a comment
root:x:0:0:root:/root:/bin/sh
broken
daemon:x:1:1::/usr/sbin:/usr/sbin/nologin
app:x:1000:1001:App,,,:/home/app:/bin/sh
1234:x:77:78::/odd:/bin/sh
huge:x:4294967296:0::/:/bin/sh
`

const group = `root:x:0:
app:x:1001:
extra:x:2000:other,app
same:x:2000:app
wheel:x:10:root, app
`

func TestAUserIsResolvedFromTheFilesOfTheBox(t *testing.T) {
	for spec, want := range map[string]User{
		"":            {0, 0, []uint32{0, 10}, "/root"},
		"root":        {0, 0, []uint32{0, 10}, "/root"},
		"app":         {1000, 1001, []uint32{1001, 2000, 10}, "/home/app"},
		"1000":        {1000, 1001, []uint32{1001, 2000, 10}, "/home/app"},
		"app:extra":   {1000, 2000, []uint32{2000}, "/home/app"},
		"app:":        {1000, 1001, []uint32{1001, 2000, 10}, "/home/app"},
		"4000":        {4000, 0, []uint32{0}, "/"},
		"4000:5000":   {4000, 5000, []uint32{5000}, "/"},
		"1234":        {77, 78, []uint32{78}, "/odd"},
		":extra":      {0, 2000, []uint32{2000}, "/root"},
		"2147483647":  {2147483647, 0, []uint32{0}, "/"},
		"daemon:2000": {1, 2000, []uint32{2000}, "/usr/sbin"},
	} {
		t.Run(spec, func(t *testing.T) {
			got, err := Resolve(spec, AsDocker, []byte(passwd), []byte(group))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

func TestAPolicySaysWhichGroupsOfTheImageAUserHas(t *testing.T) {
	for _, c := range []struct {
		spec   string
		policy GroupsPolicy
		gid    uint32
		want   []uint32
	}{
		{"app", Merge, 1001, []uint32{1001, 2000, 10}},
		{"app:5000", Merge, 5000, []uint32{5000, 2000, 10}},
		{"1000:extra", Merge, 2000, []uint32{2000, 10}},
		{"1000:0", Merge, 0, []uint32{0, 2000, 10}},
		{"4000:5000", Merge, 5000, []uint32{5000}},
		{"app", Strict, 1001, []uint32{1001}},
		{"app:5000", Strict, 5000, []uint32{5000}},
		{"", Strict, 0, []uint32{0}},
	} {
		got, err := Resolve(c.spec, c.policy, []byte(passwd), []byte(group))
		if err != nil || got.GID != c.gid || !reflect.DeepEqual(got.Groups, c.want) {
			t.Errorf("%s, %d: got %+v, %v", c.spec, c.policy, got, err)
		}
	}
}

func TestAnUnknownUserIsRefused(t *testing.T) {
	for spec, want := range map[string]string{
		"ghost":          "unable to find user ghost: no matching entries in passwd file",
		"root:ghost":     "unable to find group ghost: no matching entries in group file",
		"2147483648":     "uids and gids must be in range 0-2147483647",
		"-1":             "uids and gids must be in range 0-2147483647",
		"0:4294967296":   "uids and gids must be in range 0-2147483647",
		"huge":           "unable to find user huge: no matching entries in passwd file",
		"broken":         "unable to find user broken: no matching entries in passwd file",
		"root:root:root": "unable to find group root:root: no matching entries in group file",
	} {
		t.Run(spec, func(t *testing.T) {
			if _, err := Resolve(spec, AsDocker, []byte(passwd), []byte(group)); err == nil || err.Error() != want {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

func TestANumberNeedsNoFiles(t *testing.T) {
	got, err := Resolve("5:6", AsDocker, nil, nil)
	if err != nil || got.UID != 5 || got.GID != 6 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// FuzzPasswd: whatever the box's files say, a name never becomes root by being malformed.
func FuzzPasswd(f *testing.F) {
	f.Add("app", byte(AsDocker), []byte(passwd), []byte(group))
	f.Add("app:extra", byte(Merge), []byte(passwd), []byte(group))
	f.Add("0:x", byte(Strict), []byte("::::::"), []byte(":::"))
	f.Add("a", byte(AsDocker), []byte("a:x:-0:+1::/:"), []byte("a:x:00:a"))
	f.Fuzz(func(t *testing.T, spec string, policy byte, passwd, group []byte) {
		user, err := Resolve(spec, GroupsPolicy(policy%3), passwd, group)
		if err != nil {
			return
		}
		for uid, name := range Names(passwd, map[uint32]bool{0: true, user.UID: true}) {
			if len(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) || uid != 0 && uid != user.UID {
				t.Fatalf("%d is %q", uid, name)
			}
		}
		if user.UID > 1<<31-1 || user.GID > 1<<31-1 || len(user.Groups) == 0 || user.Groups[0] != user.GID {
			t.Fatalf("%q: %+v", spec, user)
		}
	})
}

func TestFurtherGroupsAreJoinedToThoseOfTheUser(t *testing.T) {
	for name, c := range map[string]struct {
		groups []string
		want   []uint32
		err    string
	}{
		"none":                      {nil, []uint32{1001, 2000, 10}, ""},
		"a name and a number":       {[]string{"root", "77"}, []uint32{1001, 2000, 10, 0, 77}, ""},
		"groups that it has":        {[]string{"extra", "10", "app"}, []uint32{1001, 2000, 10}, ""},
		"a group that there is not": {[]string{"root", "nope"}, nil, "Unable to find group nope: no matching entries in group file"},
		"no name":                   {[]string{""}, nil, "Unable to find group : no matching entries in group file"},
		"a negative number":         {[]string{"-1"}, nil, "uids and gids must be in range 0-2147483647"},
		"a number that is too high": {[]string{"2147483648"}, nil, "uids and gids must be in range 0-2147483647"},
	} {
		t.Run(name, func(t *testing.T) {
			user, err := Resolve("app", AsDocker, []byte(passwd), []byte(group))
			if err != nil {
				t.Fatal(err)
			}
			switch err = user.Join(c.groups, []byte(group)); {
			case c.err == "" && (err != nil || !reflect.DeepEqual(user.Groups, c.want)):
				t.Errorf("got %v, %v", user.Groups, err)
			case c.err != "" && (err == nil || err.Error() != c.err):
				t.Errorf("got %v", err)
			}
		})
	}
}
