package stage

import (
	"syscall"

	"a3s.dev/box/agent/linux"
)

// rehearsed is an order as most are.
var rehearsed = Order{
	Args: []string{"true"}, Env: []string{"PATH=" + defaultPath, "HOSTNAME=box"}, Cwd: "/",
	Filter: make([]linux.Instruction, 1024), Limits: make([]Limit, 3),
}

// rehearse does what an order has a stage do, as far as that changes nothing: stack, heap and tables of types then have the room that
// the order needs, also in a copy of the guest.
func rehearse() error {
	order, err := decodeOrder(rehearsed.encode(nil))
	if err != nil {
		return err
	}
	// There are no accounts and no programs in the agent's root.
	user, err := resolveUser(order.User)
	if err != nil {
		return err
	}
	order.Env = environment(order.Env, user.Home)
	_, _ = lookPath(order.Args[0], order.Env)
	if _, err := syscall.SlicePtrFromStrings(order.Args); err != nil {
		return err
	}
	_, err = syscall.SlicePtrFromStrings(order.Env)
	return err
}
