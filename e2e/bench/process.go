package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// A process is a contestant, or the app behind them.
type process struct {
	name    string
	address string
	command *exec.Cmd
	output  bytes.Buffer
	took    time.Duration // from its start until it listened
}

// start runs a command and waits until it listens at address.
func start(ctx context.Context, name, address string, env []string, command ...string) (*process, error) {
	p := &process{name: name, address: address, command: exec.CommandContext(ctx, command[0], command[1:]...)}
	p.command.Env = append(os.Environ(), env...)
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	began := time.Now()
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	for time.Since(began) < 20*time.Second {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			p.took = time.Since(began)
			_ = c.Close()
			return p, nil
		}
		time.Sleep(time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("%s does not listen at %s: %s", name, address, p.output.String())
}

// stop ends the process, and its children: nginx's workers outlive their master.
func (p *process) stop() {
	for _, pid := range p.children() {
		if child, err := os.FindProcess(pid); err == nil {
			_ = child.Kill()
		}
	}
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// clockTick is USER_HZ, 100 on every Linux.
const clockTick = 10 * time.Millisecond

// cpu is the time that the process and its children have computed so far.
func (p *process) cpu() (time.Duration, error) {
	var ticks int64
	for _, pid := range append(p.children(), p.command.Process.Pid) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 13 {
			return 0, errors.New("/proc/<pid>/stat is too short")
		}
		for _, f := range fields[11:13] { // utime, stime
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				return 0, err
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * clockTick, nil
}

// children are nginx's workers.
func (p *process) children() []int {
	pid := p.command.Process.Pid
	list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	var pids []int
	for _, f := range strings.Fields(string(list)) {
		if n, err := strconv.Atoi(f); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// resident is the process's memory, in bytes.
func (p *process) resident() (int64, error) {
	var sum int64
	for _, pid := range append(p.children(), p.command.Process.Pid) {
		f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, err
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
				n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				if err != nil {
					_ = f.Close()
					return 0, err
				}
				sum += n << 10
			}
		}
		_ = f.Close()
	}
	return sum, nil
}
