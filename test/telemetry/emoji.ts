/** The key of log messages: what each emoji stands for is in the contract that upstream's readers know. */
const KEY = [
  ...["🚀", "📥", "⬇️", "🌐", "🔍", "📅", "📋", "📊", "✅", "🎉", "🏁", "⚠️", "❌", "🔄", "⏰", "⏳", "🛑", "🔗", "🔌", "🏥", "💾", "🔐", "🐢"],
  ...["⏸️", "😴", "⏭️", "🔧", "🚨", "🐰", "📺", "🐘", "⏩", "📬", "📭", "🗑️", "📝", "🆕", "📄", "⚡", "📡", "📉", "📈", "🧹", "🛡️"],
];

/** The emoji of a message if it stands in front with one blank behind, else null. */
export function emojiOf(message: string): string | null {
  return KEY.find((emoji) => message.startsWith(`${emoji} `) && !message.startsWith(`${emoji}  `)) ?? null;
}
