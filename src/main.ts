console.error("gatehouse: no command yet");
