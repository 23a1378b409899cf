/**
 * One side of a call, as a data channel. The polite side waits for the first offer; from then on either may offer at any time, and where both
 * do at once, the polite one gives way: https://w3c.github.io/webrtc-pc/#perfect-negotiation-example
 *
 * @param signal Sends an object to the other side, which hands it to `receive`, one after the other.
 */
export function startCall({ isPolite, signal }) {
  // Beyond one network it takes a STUN server to find a way, and a TURN server where there is none: `{ iceServers: […] }`.
  const connection = new RTCPeerConnection();
  // Both sides make it, as number 0. For a picture and sound they add the tracks of getUserMedia here.
  const channel = connection.createDataChannel("text", { negotiated: true, id: 0 });
  let isOffering = false;
  let isIgnoring = false;
  let close;
  const closed = new Promise((resolve) => {
    close = () => {
      connection.close();
      resolve();
    };
  });

  connection.onnegotiationneeded = async () => {
    // Two first offers at once leave Chromium 156 at times with a connection that never begins, after the rollback of the one.
    if (isPolite && connection.remoteDescription === null) return;
    isOffering = true;
    try {
      await connection.setLocalDescription();
      signal({ description: connection.localDescription });
    } finally {
      isOffering = false;
    }
  };
  connection.onicecandidate = ({ candidate }) => signal({ candidate });

  async function take({ description, candidate }) {
    if (description === undefined) {
      // Those of an offer that was ignored fit nothing.
      if (!isIgnoring) await connection.addIceCandidate(candidate);
      return;
    }
    const isOffer = description.type === "offer";
    isIgnoring = isOffer && !isPolite && (isOffering || connection.signalingState !== "stable");
    if (isIgnoring) return;
    await connection.setRemoteDescription(description);
    if (!isOffer) return;
    await connection.setLocalDescription();
    signal({ description: connection.localDescription });
  }

  // What a connection is doing when it is closed it never ends, nor fails: who waited for that would wait forever.
  const receive = (data) => Promise.race([take(data), closed]);
  return { channel, receive, close };
}
