package chassis

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOnlyCleanMappingsOfTheProgramAreReleased(t *testing.T) {
	const smaps = `00400000-00402000 r-xp 00000000 fe:00 1    /srv/shop
Size:                  8 kB
Anonymous:         0 kB
00500000-00501000 r-xp 00000000 fe:00 1    /srv/shop
Anonymous:         4 kB
00600000-00601000 r--p 00000000 fe:00 1    /srv/shop
Anonymous:         0 kB
00700000-00701000 rw-p 00000000 fe:00 1    /srv/shop
Anonymous:         0 kB
00800000-00801000 r-xp 00000000 fe:00 2    /srv/shop.so
Anonymous:         0 kB
00900000-00901000 r--p 00000000 00:00 0
Anonymous:         0 kB
zz-yy r-xp 00000000 fe:00 1    /srv/shop
Anonymous:         0 kB
`
	want := []mapping{{0x400000, 0x2000}, {0x600000, 0x1000}}
	if d := cmp.Diff(want, cleanMappings([]byte(smaps), "/srv/shop"), cmp.AllowUnexported(mapping{})); d != "" {
		t.Error(d)
	}
}

func TestReleaseStartUnmapsWhatIsNotNeeded(t *testing.T) {
	before := residentFile(t)
	if err := releaseStart(); err != nil {
		t.Fatal(err)
	}
	if after := residentFile(t); after >= before {
		t.Errorf("%d kB of the program's file are mapped, %d kB were before; want fewer", after, before)
	}
}

func residentFile(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`RssFile:\s+(\d+) kB`).FindSubmatch(status)
	if match == nil {
		t.Skip("the kernel does not tell RssFile")
	}
	n, err := strconv.Atoi(string(match[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
