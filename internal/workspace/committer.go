package workspace

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"strings"
	"syscall"
)

// committerArg is the hidden argument that makes the program the committer.
const committerArg = "__commit"

// The committer's files, beyond the standard three.
const (
	fdLock = 3 + iota
	fdOrder
	fdAnswer
)

// reexecutable is set once this program is known to become the committer when it is asked to.
var reexecutable bool

// CommitterMain runs the detached committer when args (os.Args[1:]) ask for it; main and TestMain call it first, and
// return when it handled the call. A program that never calls it commits within its own process.
func CommitterMain(args []string) (handled bool) {
	if len(args) != 2 || args[0] != committerArg {
		reexecutable = true
		return false
	}
	for fd := fdLock; fd <= fdAnswer; fd++ {
		syscall.CloseOnExec(fd)
	}
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE)
	lock, answer := os.NewFile(fdLock, "lock"), os.NewFile(fdAnswer, "answer")
	result := commitOnOrder(args[1], os.NewFile(fdOrder, "order"))
	_ = lock.Close() // before the answer, so that the lock is free when the command says that it is done
	// Nobody may be left to read the answer.
	_ = json.NewEncoder(answer).Encode(result)
	// The command waits: what a program otherwise does at its end, such as the race detector's pause, is not ours.
	syscall.Exit(0)
	return true
}

// An answer is how a commit ended.
type answer struct {
	Error   string   `json:"error,omitempty"`
	Refused []string `json:"refused,omitempty"`
	Notices []string `json:"notices,omitempty"`
}

// commitOnOrder waits for the name of a transaction and commits it. When the command dies before it gives the order,
// nothing happens.
func commitOnOrder(root string, order io.Reader) answer {
	line, err := bufio.NewReader(order).ReadString('\n')
	if err != nil {
		return answer{Error: "there was no order"}
	}
	w, err := open(root)
	if err != nil {
		return answer{Error: err.Error()}
	}
	defer func() { _ = w.Close() }()
	err = w.commitFolder(strings.TrimSuffix(line, "\n"))
	result := answer{Notices: w.notices}
	var refused *RefusedError
	if errors.As(err, &refused) {
		for _, p := range refused.Problems {
			result.Refused = append(result.Refused, p.Error())
		}
	} else if err != nil {
		result.Error = err.Error()
	}
	return result
}

func (w *Workspace) commitFolder(folder string) error {
	text, err := w.root.ReadFile(path.Join(folder, prepared))
	if err != nil {
		return fmt.Errorf("read the journal: %w", cause(err))
	}
	j, err := parseJournal(text)
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	return w.commit(folder, j)
}

// A committer is the process that commits. It holds the lock too, until it is done.
type committer struct {
	cmd    *exec.Cmd
	order  *os.File
	answer *os.File
}

// committerFor starts a committer for a journal that needs one; nil says that this process commits.
func (w *Workspace) committerFor(j *journal, lock *os.File) *committer {
	if w.inProcess || !reexecutable || j.renames() <= 1 {
		return nil
	}
	c, err := startCommitter(w.path, lock)
	if err != nil {
		return nil
	}
	return c
}

func startCommitter(root string, lock *os.File) (c *committer, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	orderOut, orderIn, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answerOut, answerIn, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, orderOut.Close(), orderIn.Close())
	}
	cmd := &exec.Cmd{
		Path: program,
		Args: []string{os.Args[0], committerArg, root},
		Dir:  root,
		// In the order of the fd constants.
		ExtraFiles: []*os.File{lock, orderOut, answerIn},
	}
	detach(cmd)
	err = errors.Join(cmd.Start(), orderOut.Close(), answerIn.Close())
	if err != nil {
		return nil, errors.Join(err, orderIn.Close(), answerOut.Close())
	}
	return &committer{cmd: cmd, order: orderIn, answer: answerOut}, nil
}

// abandon lets a committer that got no order go.
func (c *committer) abandon() {
	if c == nil || c.cmd == nil {
		return
	}
	_ = c.order.Close()
	_ = c.answer.Close()
	_ = c.cmd.Wait() // its answer says all
	c.cmd = nil
}

// commit gives the order and waits for the answer. From the order on, nothing that happens to this process matters.
func (c *committer) commit(folder string) (*answer, error) {
	defer c.abandon()
	if _, err := c.order.WriteString(folder + "\n"); err != nil {
		return nil, err
	}
	var a answer
	if err := json.NewDecoder(c.answer).Decode(&a); err != nil {
		return nil, err
	}
	return &a, nil
}

// commitBy commits with a committer, and finishes its work should it die.
func (w *Workspace) commitBy(c *committer, folder string, j *journal) error {
	a, err := c.commit(folder)
	if err != nil {
		return w.finishFor(folder, j)
	}
	w.notices = append(w.notices, a.Notices...)
	if len(a.Refused) > 0 {
		refused := &RefusedError{Doing: "write the files"}
		for _, p := range a.Refused {
			refused.Problems = append(refused.Problems, errors.New(p))
		}
		return refused
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	return nil
}

// finishFor does what is left for a committer that gave no answer.
func (w *Workspace) finishFor(folder string, j *journal) error {
	if w.disk.exists(path.Join(folder, prepared)) {
		return w.commit(folder, j)
	}
	if w.disk.exists(folder) {
		return w.recoverOne(folder)
	}
	return nil
}
