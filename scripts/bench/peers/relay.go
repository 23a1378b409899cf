// Relay on gorilla/websocket, for the benchmark: a goroutine and a write lock for each connection.
package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

const (
	beat = 5 * time.Second
	// A client that is silent for this long is dropped: three beats of the relay.
	silence      = 15 * time.Second
	writeTimeout = 10 * time.Second
)

type client struct {
	id     string
	socket *websocket.Conn
	// A socket of gorilla/websocket may have one writer at a time.
	writing sync.Mutex
}

func (c *client) send(kind int, message []byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.socket.WriteMessage(kind, message); err != nil {
		c.socket.Close()
	}
}

var (
	upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	// Clients by id.
	clients sync.Map
	// Members of the room that the publish load uses.
	lobby  sync.Map
	lastId int64
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		panic(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	go pingAll()
	panic(http.Serve(listener, http.HandlerFunc(serve)))
}

func serve(response http.ResponseWriter, request *http.Request) {
	// Before the answer: the next client may connect as soon as this one has it.
	id := strconv.FormatInt(atomic.AddInt64(&lastId, 1), 10)
	socket, err := upgrader.Upgrade(response, request, nil)
	if err != nil {
		return
	}
	c := &client{id: id, socket: socket}
	clients.Store(c.id, c)
	defer func() {
		clients.Delete(c.id)
		lobby.Delete(c.id)
		socket.Close()
	}()
	extend := func() { socket.SetReadDeadline(time.Now().Add(silence)) }
	extend()
	socket.SetPongHandler(func(string) error {
		extend()
		return nil
	})
	for {
		kind, frame, err := socket.ReadMessage()
		if err != nil {
			return
		}
		relay(c, kind, frame)
	}
}

func relay(from *client, kind int, frame []byte) {
	to, message, _ := bytes.Cut(frame, []byte(":"))
	if target, ok := clients.Load(string(to)); ok {
		target.(*client).send(kind, message)
		return
	}
	switch string(to) {
	case "#lobby":
		lobby.Range(func(_, member any) bool {
			if member != from {
				member.(*client).send(kind, message)
			}
			return true
		})
	case "join":
		lobby.Store(from.id, from)
		from.send(websocket.TextMessage, []byte("joined"))
	default:
		from.send(websocket.TextMessage, []byte("no such id"))
	}
}

func pingAll() {
	for range time.Tick(beat) {
		clients.Range(func(_, c any) bool {
			c.(*client).socket.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout))
			return true
		})
	}
}
