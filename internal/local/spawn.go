package local

import (
	"os/exec"
	"runtime"
)

// spawner starts processes from one OS thread that lives as long as it does. The kernel's "kill the child when its parent dies"
// means the thread that forked, and Go's threads come and go.
type spawner struct {
	jobs chan spawnJob
	done chan struct{}
}

type spawnJob struct {
	cmd   *exec.Cmd
	reply chan error
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan spawnJob), done: make(chan struct{})}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(s.done)
		for job := range s.jobs {
			job.reply <- job.cmd.Start()
		}
	}()
	return s
}

// start starts cmd in its own process group, so that Ctrl-C at the terminal does not reach it, and as a child that dies with this
// process where the system can do that.
func (s *spawner) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = childAttributes()
	reply := make(chan error, 1)
	s.jobs <- spawnJob{cmd, reply}
	return <-reply
}

// close ends the thread. Every process must have ended before.
func (s *spawner) close() {
	close(s.jobs)
	<-s.done
}
