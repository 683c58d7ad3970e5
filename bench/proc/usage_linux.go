package proc

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is the unit of the processor times in /proc: USER_HZ is 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// pinWord as the first argument makes this program a launcher, see Launch.
const pinWord = "__pin"

// pinned returns the command that runs path on one processor: this program itself sets the affinity and then becomes it.
func pinned(cpu int, path string, args []string) (string, []string) {
	self, err := os.Executable()
	if cpu < 0 || err != nil {
		return path, args
	}
	return self, append([]string{pinWord, strconv.Itoa(cpu), path}, args...)
}

// Launch turns this process into a pinned server when the arguments say so, and otherwise returns at once. It must be the
// first thing that main does.
func Launch() {
	if len(os.Args) < 4 || os.Args[1] != pinWord {
		return
	}
	runtime.LockOSThread()
	err := pinThread(0, os.Args[2])
	if err == nil {
		err = syscall.Exec(os.Args[3], os.Args[3:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, "bench: become the server:", err)
	os.Exit(1)
}

func pinThread(thread int, cpu string) error {
	number, err := strconv.Atoi(cpu)
	if err != nil {
		return err
	}
	var set unix.CPUSet
	set.Set(number)
	return unix.SchedSetaffinity(thread, &set)
}

// CPUs lists the processors that this process may use.
func CPUs() []int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil
	}
	var cpus []int
	for cpu := range 1024 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// PinSelf puts every thread of this process on one processor and returns a function that lets it use all of them again.
func PinSelf(cpu int) (restore func(), err error) {
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, err
	}
	var set unix.CPUSet
	set.Set(cpu)
	procs := runtime.GOMAXPROCS(1)
	restore = func() {
		runtime.GOMAXPROCS(procs)
		_ = eachThread(&before)
	}
	return restore, eachThread(&set)
}

func eachThread(set *unix.CPUSet) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("set the affinity of thread %d: %w", id, err)
		}
	}
	return nil
}

// CPUTime is the processor time that the process has used, user and system.
func (p *Process) CPUTime() (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID))
	if err != nil {
		return 0, err
	}
	// The second field is the command in parentheses, and may hold anything; utime and stime are fields 14 and 15.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", p.PID, len(fields))
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// Resident is the process's resident memory in bytes: all of it, and what is its own, which leaves out the pages of the
// program file, which replicas on one machine share and the kernel may drop.
func (p *Process) Resident() (all, own int64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
	if err != nil {
		return 0, 0, err
	}
	for name, value := range map[string]*int64{"VmRSS:": &all, "RssAnon:": &own} {
		if *value, err = kibibytes(data, name); err != nil {
			return 0, 0, err
		}
	}
	return all, own, nil
}

func kibibytes(status []byte, name string) (int64, error) {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			n, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("the process's status has no %s", name)
}

// LoadAverage is the machine's load over the last minute, or zero when the system does not tell.
func LoadAverage() float64 {
	var load float64
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(data), &load)
	}
	return load
}
