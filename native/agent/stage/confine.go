package stage

import (
	"errors"
	"strconv"
	"strings"
	"syscall"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/users"
)

// confine makes this thread what the workload's process has to be, and finds the program as that
// user.
func confine(request *ExecRequest, stdio *stdio, reply reply) (path string, err error) {
	user, err := resolveUser(request)
	if err != nil {
		return "", err
	}
	if request.ReportsUser {
		// Before the filter, which need not let a message pass.
		if err := reply.user(user); err != nil {
			return "", err
		}
	}
	if err := stdio.chown(user.UID); err != nil {
		return "", err
	}
	// The limits are set at the end. Only root may raise them, so the hard ones are raised before
	// the privileges are dropped.
	for _, limit := range request.Limits {
		if err := linux.RaiseLimit(limit.Resource, limit.Hard); err != nil {
			return "", &Refusal{SetupFailed, "error setting rlimit type " + strconv.Itoa(limit.Resource) + ": " + err.(*linux.Error).Errno.Error()}
		}
	}
	// Root tries first, and the user below: either may be the only one with access.
	cwd := syscall.Chdir(request.Cwd)
	if cwd != nil && cwd != syscall.EACCES {
		return "", cwdRefusal(request.Cwd, cwd)
	}
	if err := dropPrivileges(request, user); err != nil {
		return "", err
	}
	if cwd != nil {
		if cwd = syscall.Chdir(request.Cwd); cwd != nil {
			return "", cwdRefusal(request.Cwd, cwd)
		}
	}
	request.Env = environment(request.Env, user.Home)
	path, err = lookPath(request.Args[0], request.Env)
	if err != nil || !request.NoNewPrivileges {
		return path, err
	}
	return path, installFilter(request)
}

func dropPrivileges(request *ExecRequest, user users.User) error {
	if err := dropBounding(request.Capabilities); err != nil {
		return err
	}
	if request.NoNewPrivileges {
		if err := linux.SetNoNewPrivileges(); err != nil {
			return err
		}
	} else if err := installFilter(request); err != nil {
		// Without no_new_privs only CAP_SYS_ADMIN may install a filter, so it comes before the
		// capabilities go.
		return err
	}
	if err := linux.ClearAmbient(); err != nil {
		return err
	}
	if err := linux.SetCredentials(user.UID, user.GID, user.Groups); err != nil {
		return err
	}
	capabilities := request.Capabilities
	if user.UID != 0 {
		capabilities = 0
	}
	return linux.SetCapabilities(capabilities)
}

func installFilter(request *ExecRequest) error {
	if len(request.Filter) == 0 {
		return nil
	}
	return linux.SetFilter(request.Filter, request.FilterFlags)
}

// dropBounding removes every capability that the kernel knows and the box is not given.
func dropBounding(kept uint64) error {
	for capability := range 64 {
		if kept&(1<<capability) != 0 {
			continue
		}
		err := linux.DropBounding(capability)
		if errors.Is(err, syscall.EINVAL) && capability > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func resolveUser(request *ExecRequest) (users.User, error) {
	// The paths are the box's: this thread's root is. A magic link of /proc could lead out of it.
	passwd, err := readAccounts("/etc/passwd")
	if err != nil {
		return users.User{}, err
	}
	group, err := readAccounts("/etc/group")
	if err != nil {
		return users.User{}, err
	}
	user, err := users.Resolve(request.User, request.GroupsPolicy, passwd, group)
	if err == nil {
		err = user.Join(request.Groups, group)
	}
	var missing *users.NotFound
	if errors.As(err, &missing) {
		return user, &Refusal{UserNotFound, missing.Error()}
	}
	return user, err
}

// readAccounts returns nil for a file that the box does not have.
func readAccounts(path string) ([]byte, error) {
	content, err := linux.ReadFile(-1, path, linux.NoMagicLinks, users.MaxFile)
	switch {
	case err == nil:
		return content, nil
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR):
		return nil, nil
	default:
		return nil, &Refusal{UserNotFound, err.Error()}
	}
}

func cwdRefusal(cwd string, err error) error {
	return &Refusal{CwdInvalid, `chdir to cwd ("` + cwd + `") failed: ` + err.Error()}
}

// environment keeps the last of a repeated name, in the place of the first, and adds HOME.
func environment(entries []string, home string) []string {
	index := make(map[string]int, len(entries)+1)
	var kept []string
	for _, entry := range entries {
		name, _, _ := strings.Cut(entry, "=")
		if at, repeated := index[name]; repeated {
			kept[at] = entry
			continue
		}
		index[name] = len(kept)
		kept = append(kept, entry)
	}
	if at, set := index["HOME"]; !set {
		kept = append(kept, "HOME="+home)
	} else if kept[at] == "HOME=" {
		kept[at] = "HOME=" + home
	}
	return kept
}
