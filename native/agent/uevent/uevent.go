// Package uevent waits for devices that are being attached.
package uevent

import (
	"errors"
	"syscall"
	"time"
)

// ErrDeadline is a device that did not appear.
var ErrDeadline = errors.New("did not appear")

// recheck bounds the delay after an event that came before its device could be seen.
const recheck = 20 * time.Millisecond

// Wait calls find until it finds something: at once, and after every event of the kernel's device
// model.
func Wait[T any](deadline time.Duration, find func() (T, bool, error)) (T, error) {
	var none T
	socket, err := open()
	if err != nil {
		return none, err
	}
	defer syscall.Close(socket)
	end := time.Now().Add(deadline)
	for {
		value, found, err := find()
		if found || err != nil {
			return value, err
		}
		if time.Now().After(end) {
			return none, ErrDeadline
		}
		if err := await(socket); err != nil {
			return none, err
		}
	}
}

// open subscribes before the first look, so that no device slips in between.
func open() (int, error) {
	const kernelGroup = 1
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, syscall.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return -1, err
	}
	if err := syscall.Bind(socket, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: kernelGroup}); err != nil {
		syscall.Close(socket)
		return -1, err
	}
	timeout := syscall.NsecToTimeval(recheck.Nanoseconds())
	if err := syscall.SetsockoptTimeval(socket, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &timeout); err != nil {
		syscall.Close(socket)
		return -1, err
	}
	return socket, nil
}

// await returns after an event or the recheck time. Lost events (ENOBUFS) are events.
func await(socket int) error {
	var event [4096]byte
	_, _, err := syscall.Recvfrom(socket, event[:], 0)
	switch err {
	case nil, syscall.EAGAIN, syscall.EINTR, syscall.ENOBUFS:
		return nil
	default:
		return err
	}
}
