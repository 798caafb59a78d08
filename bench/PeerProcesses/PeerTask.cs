using ManagedTransformers.Models;

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
/// <param name="File">The file to load; the target itself, or a file in it. A full path: it is there, and is not written.</param>
/// <param name="Package">The npm package that must be there.</param>
/// <param name="Type">How the writer stores matrices, where it can do so in several ways.</param>
internal sealed record PeerModel(string Script, string Writer, string Checkpoint, string Target, string File, string Package, string? Type = null)
{
    private const string Ort = "onnxruntime-node";
    private const string Llama = "node-llama-cpp";

    /// <summary>An encoder as an ONNX graph, in float32, or with linear layers that are quantized dynamically where ours are in Int8.</summary>
    public static PeerModel Encoder(string checkpoint, string file, WeightFormat format)
    {
        string? type = format == WeightFormat.AsStored ? null : "int8";
        string target = type is null ? checkpoint : $"{checkpoint}-{type}";
        return new PeerModel("ort_encoder.mjs", "encoder_onnx.py", checkpoint, target, Path.Combine(target, file), Ort, type);
    }

    /// <summary>A tokenizer from the tokenizer.json that we read too.</summary>
    public static PeerModel Tokenizer(string tokenizerJson) => new("hf_tokenizer.mjs", "", "", "", tokenizerJson, "@anush008/tokenizers");

    /// <summary>The peers that read and write like a decoder.</summary>
    /// <param name="size">The model.</param>
    /// <param name="kind">prefill or decode.</param>
    /// <param name="prompt">The ids of the context.</param>
    /// <param name="format">How our weights are held: llama.cpp has theirs likewise.</param>
    public static IReadOnlyList<PeerTask> Decoders(ModelSize size, string kind, int[] prompt, WeightFormat format)
    {
        string checkpoint = size.Checkpoint;
        string type = format switch { WeightFormat.Int8 => "q8_0", WeightFormat.Int4 => "q4_0", _ => "f16" }, gguf = $"{checkpoint}-{type}.gguf";
        string WriteInputs(string path)
        {
            TokenIds.Write(path, prompt);
            return $"prepare {kind} {prompt.Length} {path}";
        }
        // A decode step is not compared: its prefill is, with the same graph. llama.cpp has no CodeGen; what it runs gives other scores.
        var llama = new PeerTask($"llama.cpp {type}", new PeerModel("llama.mjs", "decoder_gguf.py", checkpoint, gguf, gguf, Llama, type),
            WriteInputs, GivesOutput: size.ModelType != "codegen");
        var ort = new PeerModel("ort_decoder.mjs", "decoder_onnx.py", checkpoint, checkpoint, Path.Combine(checkpoint, "decoder.onnx"), Ort);
        return format == WeightFormat.AsStored && size == ModelSize.CodeGen ? [llama, new PeerTask("ONNX Runtime f32", ort, WriteInputs)] : [llama];
    }
}
