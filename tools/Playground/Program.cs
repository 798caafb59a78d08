// The worker calls the methods of WorkerCalls; nothing runs by itself.
return;
