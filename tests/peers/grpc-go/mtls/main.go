// Certificates of clients with grpc-go, both ways: a server that demands one, asks for one or does not ask, and tells callers
// who they are; or a client against three such servers. The messages are StringValue on the wire.
//
// Usage: mtls --certificates FOLDER --client_certificates require|request|none
// the server, which says where it listens
//
//	mtls --certificates FOLDER --require PORT --request PORT --none PORT
//
// the rows, each of which prints PASS or FAIL
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	service = "callwright.tests.Identity"
	method  = "WhoAmI"
	timeout = 20 * time.Second
)

func main() {
	folder := flag.String("certificates", "", "the folder of certificates and keys")
	asks := flag.String("client_certificates", "", "serve, and ask this of clients: require, request or none")
	ports := map[string]*int{}
	for _, asks := range []string{"require", "request", "none"} {
		ports[asks] = flag.Int(asks, 0, "the port of a server that asks this of clients")
	}
	wanted := flag.String("case", "", "the row, or the start of rows' names; all if empty")
	flag.Parse()
	if *asks != "" {
		serve(*folder, *asks)
		return
	}
	rows := rows{wanted: *wanted}
	for _, asks := range []string{"require", "request"} {
		if *ports[asks] != 0 {
			rows.run(asks, server{*folder, *ports[asks]})
		}
	}
	if *ports["none"] != 0 {
		server := server{*folder, *ports["none"]}
		rows.row("mtls/none/names", func() error { return server.tells("client", nobody) })
	}
	if rows.failed {
		os.Exit(1)
	}
}

func certificate(folder, name string) tls.Certificate {
	file := func(ending string) string { return filepath.Join(folder, name+ending) }
	pair, err := tls.LoadX509KeyPair(file(".pem"), file(".key"))
	if err != nil {
		log.Fatal(err)
	}
	return pair
}

func authority(folder, name string) *x509.CertPool {
	pem, err := os.ReadFile(filepath.Join(folder, name+".pem"))
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		log.Fatalf("%s.pem has no certificate", name)
	}
	return pool
}

// The server.

func serve(folder, asks string) {
	config := &tls.Config{Certificates: []tls.Certificate{certificate(folder, "server")}}
	switch asks {
	case "require":
		config.ClientAuth = tls.RequireAndVerifyClientCert
	case "request":
		config.ClientAuth = tls.VerifyClientCertIfGiven
	case "none":
		config.ClientAuth = tls.NoClientCert
	default:
		log.Fatalf("--client_certificates=%s: require, request or none is needed", asks)
	}
	config.ClientCAs = authority(folder, "clients")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	handle := func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		if err := decode(&wrapperspb.StringValue{}); err != nil {
			return nil, err
		}
		return whoIs(ctx)
	}
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: method, Handler: handle}},
	}, struct{}{})
	fmt.Printf("listening on %s\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}

// Go has no notion of which name is the identity: only the names are told, as the others call them.
func whoIs(ctx context.Context) (*wrapperspb.StringValue, error) {
	caller, _ := peer.FromContext(ctx)
	info, ok := caller.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return nil, status.Errorf(codes.Internal, "no TLS: %v", caller.AuthInfo)
	}
	var lines []string
	if chains := info.State.VerifiedChains; len(chains) > 0 {
		leaf := chains[0][0]
		lines = append(lines, "x509_common_name="+leaf.Subject.CommonName)
		for _, name := range leaf.DNSNames {
			lines = append(lines, "x509_subject_alternative_name="+name)
		}
		for _, name := range leaf.URIs {
			lines = append(lines, "x509_subject_alternative_name="+name.String())
		}
	}
	return wrapperspb.String(strings.Join(lines, "\n")), nil
}

// The client.

var (
	names = []string{
		"transport_security_type=ssl",
		"x509_common_name=me",
		"x509_subject_alternative_name=me.example",
		"x509_subject_alternative_name=spiffe://example/me",
		"identity=x509_subject_alternative_name",
		"peer=me.example",
		"peer=spiffe://example/me",
	}
	commonName = []string{
		"transport_security_type=ssl",
		"x509_common_name=plain me",
		"identity=x509_common_name",
		"peer=plain me",
	}
	nobody = []string{"transport_security_type=ssl", "identity=none"}
)

type rows struct {
	wanted string
	failed bool
}

func (rows *rows) row(name string, check func() error) {
	if rows.wanted != "" && name != rows.wanted && !strings.HasPrefix(name, rows.wanted+"/") {
		return
	}
	if err := check(); err != nil {
		rows.failed = true
		fmt.Printf("FAIL %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	fmt.Printf("PASS %s\n", name)
}

func (rows *rows) run(asks string, server server) {
	rows.row("mtls/"+asks+"/names", func() error { return server.tells("client", names) })
	rows.row("mtls/"+asks+"/common_name", func() error { return server.tells("plain", commonName) })
	rows.row("mtls/"+asks+"/without", func() error {
		if asks == "require" {
			return server.refuses("")
		}
		return server.tells("", nobody)
	})
	rows.row("mtls/"+asks+"/stranger", func() error { return server.refuses("stranger") })
}

type server struct {
	folder string
	port   int
}

// call gives what the server tells a client with this certificate, none if it is empty, on a connection of its own.
func (server server) call(name string) (string, error) {
	config := &tls.Config{RootCAs: authority(server.folder, "ca")}
	if name != "" {
		own := certificate(server.folder, name)
		// As it is, also where the server says that it knows other authorities: Go would send none then.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	target := fmt.Sprintf("passthrough:///127.0.0.1:%d", server.port)
	channel, err := grpc.NewClient(target, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		return "", err
	}
	defer channel.Close()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var reply wrapperspb.StringValue
	err = channel.Invoke(ctx, "/"+service+"/"+method, wrapperspb.String(""), &reply)
	return reply.GetValue(), err
}

func (server server) tells(name string, expected []string) error {
	told, err := server.call(name)
	if err != nil {
		return err
	}
	if lines := strings.Split(told, "\n"); !slices.Equal(lines, expected) {
		return fmt.Errorf("the server knows %q, expected %q", lines, expected)
	}
	return nil
}

// refuses checks that the client is refused, and another served after it: it is not that nobody is there.
func (server server) refuses(name string) error {
	told, err := server.call(name)
	if err == nil {
		return fmt.Errorf("the client is served: %q", told)
	}
	if code := status.Code(err); code != codes.Unavailable {
		return fmt.Errorf("saw %v: %w", code, err)
	}
	return server.tells("client", names)
}
