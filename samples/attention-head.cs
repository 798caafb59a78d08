#:property PublishAot=false
#:project ../src/Runtime/Runtime.csproj

// What an attention head looks at: a row for each token, a column for each token that it may attend to.
// dotnet run -c Release samples/attention-head.cs [LAYER HEAD [TEXT]]
using System.Runtime.CompilerServices;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

int layer = args.Length > 0 ? int.Parse(args[0]) : 3, head = args.Length > 1 ? int.Parse(args[1]) : 0;
string text = args.Length > 2 ? args[2] : "def f(left, right):\n    return left +";

string directory = Path.Combine(Root(), "models", "demo-codegen");
using var model = PretrainedModels.Load<ICausalLM>(directory);
Tokenizer tokenizer = Tokenizer.Load(directory);
int[] ids = tokenizer.Encode(text).Ids;

// A trace keeps activations under the module paths that they have in transformers. Nothing else is computed or copied.
string name = $"{model.Paths.Attention(layer)}.probabilities";
using Session session = model.CreateSession();
using ActivationTrace trace = session.Trace(name);
model.Forward(ids, session);
FloatTensor probabilities = trace[name];                       // [batch, heads, sequence, sequence]

Console.WriteLine($"layer {layer}, head {head} of {probabilities.Shape[1]}: % of the attention of each token (row) to each token (column)");
string[] tokens = [.. ids.Select(id => tokenizer.Decode([id]).Replace("\n", "\\n"))];
Console.WriteLine($"{"",10}{string.Concat(tokens.Select(token => $"{token,7}"))}");
for (int from = 0; from < ids.Length; from++)
{
    Console.Write($"{tokens[from],10}");
    // A decoder sees only what has been written: what stands behind a token has probability 0.
    for (int to = 0; to <= from; to++)
        Console.Write($"{100 * probabilities[0, head, from, to],7:F0}");
    Console.WriteLine();
}

static string Root([CallerFilePath] string path = "") => Path.GetDirectoryName(Path.GetDirectoryName(path))!;
