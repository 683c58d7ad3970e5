package telemetry

import (
	"sync"
	"testing"
	"time"
)

func TestTimesAreWrittenWithMicroseconds(t *testing.T) {
	zone := time.FixedZone("", 5*3600+1800)
	for _, at := range []time.Time{
		time.Unix(0, 0).UTC(),
		time.Unix(1_800_000_000, 999_999_999).UTC(),
		time.Unix(1_800_000_000, 1_000).UTC(),
		time.Unix(1_800_000_000, 1_000).In(zone),
		time.Unix(1_800_000_000, 120_000_000).In(zone),
		time.Unix(-1, 5_000).UTC(),
		time.Unix(1_800_000_001, 0).UTC(),
	} {
		if got, want := string(appendTime(nil, at)), at.Format("2006-01-02T15:04:05.000000Z07:00"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestTimesAreWrittenByManyAtOnce(t *testing.T) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 1000 {
				at := time.Unix(int64(j), int64(i)*1000).UTC()
				if got, want := string(appendTime(nil, at)), at.Format("2006-01-02T15:04:05.000000Z07:00"); got != want {
					t.Errorf("%s, want %s", got, want)
					return
				}
			}
		})
	}
	all.Wait()
}
