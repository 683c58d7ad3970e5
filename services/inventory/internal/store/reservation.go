package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
)

// reservationRow and lineRow are a reservation as tables have it.
type reservationRow struct {
	bun.BaseModel `bun:"table:reservations"`

	OrderID   string `bun:",pk"`
	State     string
	ChangedAt time.Time
}

type lineRow struct {
	bun.BaseModel `bun:"table:reservation_lines"`

	OrderID   string `bun:",pk"`
	ProductID string `bun:",pk"`
	Quantity  int
}

// Handle does what follows from a message about an order, and gives the reservation after it and whether it has changed.
// Lines, from domain.NewLines, are what domain.Reserve and domain.Promise ask for. On an error, of the domain too, nothing is
// kept. In the transaction that ctx carries, if it does, it is a part of that.
func (s *Store) Handle(ctx context.Context, orderID string, m domain.Message, lines ...domain.Line) (domain.Reservation, bool, error) {
	var before, after domain.Reservation
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		if before, err = s.lockReservation(ctx, tx, orderID); err != nil {
			return err
		}
		if after, err = before.After(m, lines); err != nil {
			return err
		}
		return s.change(ctx, tx, before, after)
	})
	if err != nil {
		return domain.Reservation{}, false, fmt.Errorf("order %s: %w", orderID, err)
	}
	return after, after.State != before.State, nil
}

// lockReservation reads the reservation of an order. The row is made when there is none, so that there is one to lock: of two
// who are the first to hear of an order, one waits for the other.
func (s *Store) lockReservation(ctx context.Context, tx bun.Tx, orderID string) (domain.Reservation, error) {
	row := reservationRow{OrderID: orderID, State: string(domain.Absent), ChangedAt: s.now().UTC()}
	if _, err := tx.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
		return domain.Reservation{}, fmt.Errorf("insert reservation: %w", err)
	}
	if err := s.db.ForUpdate(tx.NewSelect().Model(&row).WherePK()).Scan(ctx); err != nil {
		return domain.Reservation{}, fmt.Errorf("lock reservation: %w", err)
	}
	var rows []lineRow
	if err := tx.NewSelect().Model(&rows).Where("order_id = ?", orderID).Scan(ctx); err != nil {
		return domain.Reservation{}, fmt.Errorf("select the reservation's lines: %w", err)
	}
	lines, err := linesOf(rows)
	return domain.Reservation{OrderID: orderID, State: domain.State(row.State), Lines: lines}, err
}

// linesOf brings the lines in the domain's order, which is not that of every database's collation.
func linesOf(rows []lineRow) ([]domain.Line, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	kept := make([]domain.Line, len(rows))
	for i, row := range rows {
		kept[i] = domain.Line{ProductID: row.ProductID, Quantity: row.Quantity}
	}
	lines, err := domain.NewLines(kept...)
	if err != nil {
		return nil, fmt.Errorf("the reservation's lines: %w", err)
	}
	return lines, nil
}

// change keeps what a message has changed, in the stock too.
func (s *Store) change(ctx context.Context, tx bun.Tx, before, after domain.Reservation) error {
	if after.State == before.State {
		return nil
	}
	if before.State == domain.Absent {
		if err := keepLines(ctx, tx, after); err != nil {
			return err
		}
	}
	row := reservationRow{OrderID: after.OrderID, State: string(after.State), ChangedAt: s.now().UTC()}
	if _, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx); err != nil {
		return fmt.Errorf("update reservation: %w", err)
	}
	return s.moveStock(ctx, tx, after.Lines, before.State, after.State)
}

func keepLines(ctx context.Context, tx bun.Tx, reservation domain.Reservation) error {
	// An aborted transaction may have left its own.
	if _, err := tx.NewDelete().Model((*lineRow)(nil)).Where("order_id = ?", reservation.OrderID).Exec(ctx); err != nil {
		return fmt.Errorf("delete the reservation's lines: %w", err)
	}
	rows := make([]lineRow, 0, len(reservation.Lines))
	for _, line := range reservation.Lines {
		rows = append(rows, lineRow{OrderID: reservation.OrderID, ProductID: line.ProductID, Quantity: line.Quantity})
	}
	if len(rows) == 0 {
		return nil
	}
	if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
		return fmt.Errorf("insert the reservation's lines: %w", err)
	}
	return nil
}
