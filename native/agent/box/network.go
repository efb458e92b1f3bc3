package box

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"a3s.dev/box/agent/netlink"
	"a3s.dev/box/agent/uevent"
)

// nicName is what the box calls its network device.
const nicName = "eth0"

// loopbackIndex is the index of lo in every network namespace.
const loopbackIndex = 1

// linkLocal holds the metadata services of clouds; a box has no business there.
var linkLocal = netip.MustParsePrefix("169.254.0.0/16")

// nic is the network device of a box that is being set up; index 0 is none.
type nic struct {
	network *Network
	index   int
	// outside speaks to the namespace that the device is plugged into.
	outside *netlink.Connection
}

// findNIC waits for the network device and answers it.
func findNIC(network *Network) (*nic, error) {
	if network.Kind == NetworkNone {
		return &nic{network: network}, nil
	}
	index, err := uevent.Wait(plugDeadline, func() (int, bool, error) { return linkByMAC(*network.MAC) })
	if err != nil {
		return nil, &deviceError{"network device", *network.MAC, err}
	}
	outside, err := netlink.Open()
	if err != nil {
		return nil, err
	}
	return &nic{network, index, outside}, nil
}

func linkByMAC(mac string) (int, bool, error) {
	const list = "/sys/class/net"
	entries, err := os.ReadDir(list)
	if err != nil {
		return 0, false, err
	}
	for _, entry := range entries {
		address, err := os.ReadFile(list + "/" + entry.Name() + "/address")
		if err != nil || strings.TrimSpace(string(address)) != mac {
			continue
		}
		text, err := os.ReadFile(list + "/" + entry.Name() + "/ifindex")
		if err != nil {
			continue
		}
		index, err := strconv.Atoi(strings.TrimSpace(string(text)))
		return index, err == nil, err
	}
	return 0, false, nil
}

// join moves the device into a network namespace. The thread is in another one already, so the connection
// was opened before.
func (n *nic) join(namespace int) error {
	if n.index == 0 {
		return nil
	}
	if err := n.outside.Move(n.index, namespace, nicName); err != nil {
		return &deviceError{"network device", *n.network.MAC, err}
	}
	return n.outside.Close()
}

// configure gives the network namespace of this thread its addresses and routes.
func (n *nic) configure() (err error) {
	connection, err := netlink.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, connection.Close()) }()
	if err := connection.Up(loopbackIndex, 0); err != nil {
		return &deviceError{"network device", "lo", err}
	}
	if n.index == 0 {
		return nil
	}
	index, err := connection.Index(nicName)
	if err != nil {
		return &deviceError{"network device", nicName, err}
	}
	for _, step := range []func() error{
		func() error {
			return connection.AddAddress(index, ipv4(*n.network.Address), int(*n.network.PrefixLength))
		},
		announceWhenUp,
		func() error { return connection.Up(index, uint32(*n.network.MTU)) },
		func() error { return connection.AddDefaultRoute(index, ipv4(*n.network.Gateway)) },
		func() error { return connection.AddUnreachable(linkLocal.Addr().As4(), linkLocal.Bits()) },
	} {
		if err := step(); err != nil {
			return &deviceError{"network device", nicName, err}
		}
	}
	return nil
}

// announceWhenUp has the kernel tell the device's address to the network when the device comes up. passt learns it from
// the first frame; until then it cannot deliver a connection to a box that only listens.
func announceWhenUp() error {
	return os.WriteFile("/proc/sys/net/ipv4/conf/"+nicName+"/arp_notify", []byte("1"), 0)
}

func ipv4(text string) [4]byte { return netip.MustParseAddr(text).As4() }
