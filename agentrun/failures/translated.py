"""Rules for the system's own words in other languages: what libc, shells and Windows print where
the locale is not English.

Owns the translations of the commonest errno texts, nothing of any program's own.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        "translated.disk_full",
        Kind.DISK_FULL,
        words="kein speicherplatz mehr | nicht genügend speicherplatz"
        " | aucun espace disponible | espace disque insuffisant | no queda espacio"
        " | espacio en disco insuficiente | não há espaço disponível | spazio esaurito"
        " | 设备上没有空间 | 磁盘空间不足 | 空き領域がありません | не осталось свободного места"
        " | 남은 공간이 없음 | brak miejsca na urządzeniu | geen ruimte meer",
        level=Level.DECISIVE,
    ),
    Rule(
        "translated.permission",
        Kind.PERMISSION,
        words="keine berechtigung | zugriff verweigert | permission non accordée"
        " | accès refusé | permiso denegado | acceso denegado | permissão negada"
        " | acesso negado | permesso negato | accesso negato | 权限不够 | 拒绝访问"
        " | 許可がありません | アクセスが拒否されました | отказано в доступе | 허가 거부"
        " | brak dostępu | toegang geweigerd | 没有权限",
        level=Level.GENERAL,
    ),
    Rule(
        "translated.refused",
        Kind.NETWORK,
        words="verbindungsaufbau abgelehnt | verbindung verweigert"
        " | die verbindung wurde vom kommunikationspartner zurückgesetzt"
        " | connexion refusée | connexion réinitialisée | conexión rehusada"
        " | conexión reinicializada | conexão recusada | connessione rifiutata | 拒绝连接"
        " | 连接被拒绝 | 接続を拒否されました | в соединении отказано | 연결이 거부됨"
        " | соединение разорвано | 连接被对方重设",
        level=Level.GENERAL,
    ),
    Rule(
        "translated.timeout",
        Kind.TIMEOUT,
        words="zeitüberschreitung | délai d'attente | expiró el tiempo | tempo scaduto"
        " | tempo esgotado | 连接超时 | 操作超时 | 接続がタイムアウト | превышено время ожидания",
        level=Level.GENERAL,
    ),
    Rule(
        "translated.no_command",
        Kind.MISSING_DEPENDENCY,
        words="befehl nicht gefunden | kommando nicht gefunden | commande introuvable"
        " | orden no encontrada | comando non trovato | comando não encontrado | 未找到命令"
        " | コマンドが見つかりません | команда не найдена | 명령어를 찾을 수 없음"
        " | ist entweder falsch geschrieben oder konnte nicht gefunden werden"
        " | n'est pas reconnu en tant que commande | no se reconoce como un comando"
        " | 不是内部或外部命令",
    ),
    Rule(
        "translated.no_file",
        Kind.NOT_FOUND,
        words="datei oder verzeichnis nicht gefunden"
        " | kann die angegebene datei nicht finden | aucun fichier ou dossier"
        " | fichier spécifié est introuvable | no existe el archivo"
        " | no existe el fichero | arquivo ou diretório inexistente"
        " | ficheiro ou diretório inexistente | file o directory non esistente"
        " | 没有那个文件或目录 | 找不到指定的文件 | そのようなファイルやディレクトリはありません"
        " | нет такого файла или каталога | 그런 파일이나 디렉터리가 없습니다"
        " | nie ma takiego pliku",
        level=Level.GENERAL,
    ),
    Rule(
        "translated.exists",
        Kind.RESOURCE_CONFLICT,
        words="die datei existiert bereits | wird bereits verwendet | le fichier existe"
        " | déjà utilisée | el archivo ya existe | la dirección ya se está usando"
        " | 文件已存在 | 地址已在使用 | файл существует | адрес уже используется",
        level=Level.GENERAL,
    ),
)
