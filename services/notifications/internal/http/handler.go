// Package http answers the operations of the contract, one file an operation.
package http

import (
	"github.com/trellis-mesh/trellis/services/notifications/api"
	"github.com/trellis-mesh/trellis/services/notifications/internal/app"
	"github.com/trellis-mesh/trellis/services/notifications/internal/domain"
)

// Handler answers the operations of the contract.
type Handler struct {
	notifications *app.Notifications
}

var _ api.StrictServerInterface = (*Handler)(nil)

// New makes a handler.
func New(notifications *app.Notifications) *Handler {
	return &Handler{notifications: notifications}
}

// present shows a message as the contract has it. One that is being sent is waiting still.
func present(m domain.Message) api.Message {
	shown := api.Message{
		ID: m.ID, CustomerID: m.CustomerID, Kind: api.MessageKind(m.Kind), Status: api.MessageStatus(m.Status), CreatedAt: m.CreatedAt,
	}
	if m.Status == domain.Sending {
		shown.Status = api.MessageStatus(domain.Waiting)
	}
	if !m.SentAt.IsZero() {
		shown.SentAt = &m.SentAt
	}
	return shown
}
