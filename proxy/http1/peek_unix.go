//go:build unix

package http1

import "syscall"

// look asks the kernel, without waiting and without taking anything, what a read
// would give: only "not now" means an open connection with nothing to read.
func (c *conn) look(fd uintptr) bool {
	var b [1]byte
	for {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err == syscall.EINTR {
			continue
		}
		c.silent = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		return true
	}
}
