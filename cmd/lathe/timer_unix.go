//go:build unix

package main

import (
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// perhapsMemory explains the signal that a system short of memory kills with.
func perhapsMemory(p *os.ProcessState) string {
	if s, ok := p.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGKILL {
		return " (a system that is short of memory kills like this)"
	}
	return ""
}
