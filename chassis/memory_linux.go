package chassis

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// releaseStart gives back memory that only the start needed: the heap's garbage, and the pages of code and constants that
// were mapped while some two hundred packages initialized themselves, which is most of what an idle service would be
// charged for. A page that is needed after all is mapped again from the kernel's cache, in about a microsecond.
func releaseStart() error {
	debug.FreeOSMemory()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return err
	}
	for _, m := range cleanMappings(smaps, program) {
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, m.start, m.length, syscall.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("madvise: %w", errno)
		}
	}
	return nil
}

type mapping struct{ start, length uintptr }

// cleanMappings finds the read-only mappings of the program's file in which no page was changed and thereby became
// anonymous: the file has all there is to know. A changed page holds a debugger's breakpoint, or a relocation.
func cleanMappings(smaps []byte, program string) (found []mapping) {
	var at mapping
	var wanted bool
	for lines := bufio.NewScanner(bytes.NewReader(smaps)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 5 && !strings.HasSuffix(fields[0], ":"): // start-end mode offset device inode path
			wanted = strings.HasPrefix(fields[1], "r-") && strings.HasSuffix(lines.Text(), " "+program)
			at = parseRange(fields[0])
		case wanted && at.length > 0 && len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0":
			found = append(found, at)
		}
	}
	return found
}

// parseRange reads two addresses in hex; what cannot be read has no length.
func parseRange(text string) mapping {
	first, last, _ := strings.Cut(text, "-")
	start, err1 := strconv.ParseUint(first, 16, strconv.IntSize)
	end, err2 := strconv.ParseUint(last, 16, strconv.IntSize)
	if err1 != nil || err2 != nil || end < start {
		return mapping{}
	}
	return mapping{uintptr(start), uintptr(end - start)}
}
