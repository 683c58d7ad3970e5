package shard_test

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/shard"
)

func Example() {
	ctx := context.Background()
	shards := map[string]*database.DB{}
	for _, name := range []string{"us", "eu"} {
		db, err := database.Open(ctx, "sqlite://:memory:", database.Options{})
		if err != nil {
			panic(err)
		}
		defer func() { _ = db.Close() }()
		if err := database.Migrate(ctx, db, shard.Migrations()); err != nil {
			panic(err)
		}
		if _, err := db.ExecContext(ctx, "CREATE TABLE pets (id TEXT PRIMARY KEY, partition TEXT NOT NULL)"); err != nil {
			panic(err)
		}
		shards[name] = db
	}
	strategy := shard.Regions(map[string]string{"US": "us", "EU": "eu"})
	router, err := shard.New(ctx, shards, strategy, shard.Options{Directory: "us", Tables: []shard.Table{{Name: "pets", ID: "id"}}})
	if err != nil {
		panic(err)
	}
	key := shard.Key{ID: "rex", By: "EU"}
	partition, err := router.Partition(key)
	if err != nil {
		panic(err)
	}
	err = router.Write(ctx, key, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO pets VALUES (?, ?)", key.ID, partition)
		return err
	})
	if err != nil {
		panic(err)
	}
	owner, err := router.Owner(key)
	fmt.Println(owner, err)

	if err := router.Move(ctx, "EU", "us"); err != nil { // while others read and write
		panic(err)
	}
	owner, err = router.Owner(key)
	fmt.Println(owner, err)

	_, err = router.Owner(shard.Key{ID: "rex", By: "MARS"})
	fmt.Println(err)
	// Output:
	// eu <nil>
	// us <nil>
	// region "MARS": the region is not known: there are EU, US
}
