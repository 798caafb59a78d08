#:property PublishAot=false
#:project ../src/Runtime/Runtime.csproj

// The logit lens (nostalgebraist 2020): what would the model answer if it ended after a layer?
// dotnet run -c Release samples/logit-lens.cs [TEXT]
using System.Runtime.CompilerServices;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

string text = args.Length > 0 ? args[0] : "if __name__ ==";
string directory = Path.Combine(Root(), "models", "demo-codegen");
using var model = PretrainedModels.Load<ICausalLM>(directory);
Tokenizer tokenizer = Tokenizer.Load(directory);
int[] ids = tokenizer.Encode(text).Ids;

// The residual stream is what blocks read from and add to; a trace of a block has it after the block.
using Session session = model.CreateSession();
using ActivationTrace stream = session.Trace(model.Paths.Embeddings, model.Paths.Layers);
model.Forward(ids, session);

Console.WriteLine($"after \"{text.Replace("\n", "\\n")}\" comes:");
for (int layer = -1; layer < model.Config.Layers; layer++)
{
    FloatTensor residual = stream[layer < 0 ? model.Paths.Embeddings : model.Paths.Layer(layer)];
    var lastToken = new FloatTensor(residual.Row(ids.Length - 1).ToArray(), residual.Name, 1, model.Config.HiddenWidth);
    Print(layer < 0 ? "embeddings" : $"layer {layer}", model.Logits(lastToken, session));      // last norm and head, as after the last block
}

// The five best next tokens.
void Print(string name, FloatTensor logits)
{
    float[] scores = logits.ToArray();
    double sum = scores.Sum(score => Math.Exp(score - scores.Max()));
    var best = scores.Index().OrderByDescending(one => one.Item).Take(5);
    Console.WriteLine($"{name,-11}" + string.Concat(best.Select(one => $"{Math.Exp(one.Item - scores.Max()) / sum,7:P0} {$"\"{Shown(one.Index)}\"",-12}")));
}

string Shown(int id) => tokenizer.Decode([id]).Replace("\n", "\\n");

static string Root([CallerFilePath] string path = "") => Path.GetDirectoryName(Path.GetDirectoryName(path))!;
