//go:build !unix

package main

import (
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return nil }

func perhapsMemory(*os.ProcessState) string { return "" }
