namespace ManagedTransformers.Bench;

/// <summary>The same work by a peer.</summary>
/// <param name="Peer">Its name in the results.</param>
/// <param name="Model">What it runs, and with which script.</param>
/// <param name="WriteInputs">Writes the inputs to a file and returns the line that tells the peer about them.</param>
/// <param name="GivesOutput">Whether its output can be asked for, to be compared with ours.</param>
internal sealed record PeerTask(string Peer, PeerModel Model, Func<string, string> WriteInputs, bool GivesOutput = true);

/// <summary>A peer's model file, made from one of our checkpoints.</summary>
/// <param name="Script">The program that serves it, in bench/peers.</param>
/// <param name="Writer">The program that writes it, in bench/peers: CHECKPOINT TARGET.</param>
/// <param name="Checkpoint">The checkpoint that it is made from.</param>
/// <param name="Target">What the writer is given as its target, below the peers' models folder.</param>
/// <param name="File">The file to load; the target itself, or a file in it.</param>
/// <param name="Package">The npm package that must be there.</param>
internal sealed record PeerModel(string Script, string Writer, string Checkpoint, string Target, string File, string Package)
{
    private const string Ort = "onnxruntime-node";
    private const string Llama = "node-llama-cpp";

    /// <summary>An encoder as an ONNX graph.</summary>
    public static PeerModel Encoder(string checkpoint, string file) =>
        new("ort_encoder.mjs", "encoder_onnx.py", checkpoint, checkpoint, Path.Combine(checkpoint, file), Ort);

    /// <summary>The peers that read and write like CodeGen.</summary>
    /// <param name="kind">prefill or decode.</param>
    /// <param name="prompt">The ids of the context.</param>
    public static IReadOnlyList<PeerTask> Decoders(string kind, int[] prompt)
    {
        const string Checkpoint = CheckpointCache.CodeGen;
        const string Gguf = $"{Checkpoint}-neox-f16.gguf";
        string WriteInputs(string path)
        {
            TokenIds.Write(path, prompt);
            return $"prepare {kind} {prompt.Length} {path}";
        }
        var llama = new PeerModel("llama.mjs", "neox_gguf.py", Checkpoint, Gguf, Gguf, Llama);
        var ort = new PeerModel("ort_decoder.mjs", "decoder_onnx.py", Checkpoint, Checkpoint, Path.Combine(Checkpoint, "decoder.onnx"), Ort);
        return
        [
            new PeerTask("llama.cpp f16", llama, WriteInputs, GivesOutput: false),
            // A decode step is not compared: its prefill is, with the same graph.
            new PeerTask("ONNX Runtime f32", ort, WriteInputs),
        ];
    }
}
