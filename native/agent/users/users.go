// Package users resolves a user of the box by its own /etc/passwd and /etc/group, as Docker does.
package users

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// MaxFile bounds passwd and group: what is larger is refused.
const MaxFile = 4 << 20

// maxGroups is the kernel's NGROUPS_MAX.
const maxGroups = 65536

// User is the identity of a process.
type User struct {
	UID, GID uint32
	// Groups are the supplementary groups, the primary one first: a process without it there could
	// drop a restriction that the group is under.
	Groups []uint32
	Home   string
}

// GroupsPolicy says which supplementary groups a user has by the box's /etc/group.
type GroupsPolicy byte

const (
	// AsDocker gives those that list the user, unless a group was asked for beside it.
	AsDocker GroupsPolicy = iota
	// Merge gives those that list the user, whatever group was asked for.
	Merge
	// Strict gives none: the primary group alone.
	Strict
)

// NotFound is a user or group that the box does not have; its text is Docker's.
type NotFound struct{ message string }

func (e *NotFound) Error() string { return e.message }

// Resolve looks `user[:group]` up; empty is root. A number needs no entry.
func Resolve(spec string, policy GroupsPolicy, passwd, group []byte) (User, error) {
	name, groupName, hasGroup := strings.Cut(spec, ":")
	if name == "" {
		name = "0"
	}
	user, login, err := findUser(name, passwd)
	if err != nil {
		return User{}, err
	}
	asked := hasGroup && groupName != ""
	if asked {
		if user.GID, err = findGroup(groupName, group); err != nil {
			return User{}, err
		}
	}
	if policy == Strict || asked && policy == AsDocker {
		user.Groups = []uint32{user.GID}
		return user, nil
	}
	user.Groups, err = memberships(login, user.GID, group)
	return user, err
}

// Join gives the user further groups, each a name or a number. The texts of its errors are
// Docker's.
func (u *User) Join(groups []string, group []byte) error {
	for _, name := range groups {
		gid, err := findGroup(name, group)
		if err != nil {
			if !looksNumeric(name) {
				err = &NotFound{"Unable to find group " + name + ": no matching entries in group file"}
			}
			return err
		}
		if slices.Contains(u.Groups, gid) {
			continue
		}
		if len(u.Groups) == maxGroups {
			return &NotFound{"the user is in too many groups"}
		}
		u.Groups = append(u.Groups, gid)
	}
	return nil
}

// findUser also returns the entry's name, which may differ from a number that was asked for.
func findUser(name string, passwd []byte) (User, string, error) {
	number, numeric := parseID(name)
	for line := range lines(passwd) {
		fields := strings.Split(line, ":")
		if len(fields) < 6 {
			continue
		}
		uid, uidOK := parseID(fields[2])
		gid, gidOK := parseID(fields[3])
		if !uidOK || !gidOK || fields[0] != name && (!numeric || uid != number) {
			continue
		}
		return User{UID: uid, GID: gid, Home: fields[5]}, fields[0], nil
	}
	if numeric {
		return User{UID: number, Home: "/"}, "", nil
	}
	if looksNumeric(name) {
		return User{}, "", &NotFound{"uids and gids must be in range 0-2147483647"}
	}
	return User{}, "", &NotFound{"unable to find user " + name + ": no matching entries in passwd file"}
}

func findGroup(name string, group []byte) (uint32, error) {
	number, numeric := parseID(name)
	for line := range lines(group) {
		fields := strings.Split(line, ":")
		if len(fields) < 3 {
			continue
		}
		gid, ok := parseID(fields[2])
		if ok && (fields[0] == name || numeric && gid == number) {
			return gid, nil
		}
	}
	if numeric {
		return number, nil
	}
	if looksNumeric(name) {
		return 0, &NotFound{"uids and gids must be in range 0-2147483647"}
	}
	return 0, &NotFound{"unable to find group " + name + ": no matching entries in group file"}
}

func memberships(login string, primary uint32, group []byte) ([]uint32, error) {
	groups := []uint32{primary}
	seen := map[uint32]bool{primary: true}
	if login == "" {
		return groups, nil
	}
	for line := range lines(group) {
		fields := strings.Split(line, ":")
		if len(fields) < 4 {
			continue
		}
		gid, ok := parseID(fields[2])
		if !ok || seen[gid] || !contains(fields[3], login) {
			continue
		}
		if len(groups) == maxGroups {
			return nil, &NotFound{"user " + login + " is in too many groups"}
		}
		seen[gid] = true
		groups = append(groups, gid)
	}
	return groups, nil
}

func contains(list, name string) bool {
	for member := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(member) == name {
			return true
		}
	}
	return false
}

// parseID reads an id in its one decimal spelling, up to what the kernel's signed interfaces hold.
func parseID(text string) (uint32, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil && n <= math.MaxInt32
}

func looksNumeric(text string) bool {
	return text != "" && strings.Trim(strings.TrimPrefix(text, "-"), "0123456789") == ""
}

// lines yields the lines that are not empty or comments.
func lines(content []byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.SplitSeq(string(content), "\n") {
			line = strings.TrimSpace(line)
			if line != "" && line[0] != '#' && !yield(line) {
				return
			}
		}
	}
}

// maxName is more than any tool gives a user.
const maxName = 64

// Names returns the names of these users in passwd; the first line of each counts. A name that
// cannot be shown safely is left out.
func Names(passwd []byte, of map[uint32]bool) map[uint32]string {
	names := map[uint32]string{}
	for line := range lines(passwd) {
		name, rest, _ := strings.Cut(line, ":")
		_, rest, _ = strings.Cut(rest, ":")
		number, _, _ := strings.Cut(rest, ":")
		uid, ok := parseID(number)
		if _, found := names[uid]; !ok || found || !of[uid] {
			continue
		}
		names[uid] = ""
		if isShown(name) {
			names[uid] = name
		}
	}
	return names
}

func isShown(name string) bool {
	for index := range len(name) {
		if c := name[index]; c <= ' ' || c > '~' {
			return false
		}
	}
	return len(name) <= maxName
}
